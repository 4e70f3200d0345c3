import { TextField } from "@/elements/text_field";

interface CredentialFieldProps {
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly fault?: string | undefined;
}

export function EmailField(props: CredentialFieldProps) {
  return (
    <TextField
      label="E-mail address"
      required
      input={{ type: "email", autocomplete: "username" }}
      {...props}
    />
  );
}

/** The password that an account has. */
export function PresentPasswordField({ label, ...props }: CredentialFieldProps & { readonly label: string }) {
  return (
    <TextField
      label={label}
      required
      input={{ type: "password", autocomplete: "current-password" }}
      {...props}
    />
  );
}

interface NewPasswordFieldProps extends CredentialFieldProps {
  readonly label: string;
  /** What is to be known beside its length. */
  readonly note: string;
}

/** The password that an account is to have. */
export function NewPasswordField({ label, note, ...props }: NewPasswordFieldProps) {
  return (
    <TextField
      label={label}
      required
      hint={`8 to 128 characters. ${note}`}
      input={{ type: "password", autocomplete: "new-password", minLength: 8, maxLength: 128 }}
      {...props}
    />
  );
}
