import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { PageHeading } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { TextField } from "@/elements/text_field";
import { useSubmit } from "@/elements/use_submit";
import { Link } from "@/routing/link";
import { useLocation } from "@/routing/location";
import { signUp } from "@/session/account";
import { EmailField, NewPasswordField } from "@/session/credential_fields";
import { FrontCard } from "./front_card";

export function SignUpPage() {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [name, setName] = useState("");
  const next = useLocation().searchParams.get("next");
  const form = useSubmit(() => signUp({ email, password, name }));
  return (
    <FrontCard>
      <PageHeading title="Sign up" lead="Deploy an app in a minute, and pay only for what you change." />
      <form onSubmit={form.submit}>
        <EmailField value={email} onValue={setEmail} fault={form.fault("email")} />
        <TextField
          label="Name"
          value={name}
          onValue={setName}
          fault={form.fault("name")}
          input={{ autocomplete: "name", maxLength: 100 }}
        />
        <NewPasswordField
          label="Password"
          note="A few unrelated words are good."
          value={password}
          onValue={setPassword}
          fault={form.fault("password")}
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
