import { Button } from "@/elements/button";
import { PageHeading } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { TextField } from "@/elements/text_field";
import { useForm } from "@/elements/use_form";
import { Link } from "@/routing/link";
import { useLocation } from "@/routing/location";
import { signUp } from "@/session/account";
import { EmailField, NewPasswordField } from "@/session/credential_fields";
import { FrontCard } from "./front_card";

export function SignUpPage() {
  const next = useLocation().searchParams.get("next");
  const form = useForm({ email: "", name: "", password: "" }, signUp);
  return (
    <FrontCard>
      <PageHeading title="Sign up" lead="Deploy an app in a minute, and pay only for what you change." />
      <form onSubmit={form.submit}>
        <EmailField {...form.field("email")} />
        <TextField label="Name" {...form.field("name")} input={{ autocomplete: "name", maxLength: 100 }} />
        <NewPasswordField
          label="Password"
          note="A few unrelated words are good."
          {...form.field("password")}
        />
        <ProblemNotice problem={form.problem} />
        <Button kind="primary" type="submit" busy={form.busy}>
          Sign up
        </Button>
      </form>
      <p>
        Have an account?{" "}
        <Link to={next === null ? "/sign-in" : `/sign-in?next=${encodeURIComponent(next)}`}>Sign in</Link>
      </p>
    </FrontCard>
  );
}
