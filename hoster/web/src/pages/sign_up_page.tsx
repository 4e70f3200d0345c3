import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { PageHeading } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { TextField } from "@/elements/text_field";
import { useSubmit } from "@/elements/use_submit";
import { Link } from "@/routing/link";
import { signUp } from "@/session/account";
import { FrontCard } from "./front_card";

export function SignUpPage() {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [name, setName] = useState("");
  const form = useSubmit(() => signUp({ email, password, name }));
  return (
    <FrontCard>
      <PageHeading title="Sign up" lead="Deploy an app in a minute, and pay only for what you change." />
      <form onSubmit={form.submit}>
        <TextField
          label="E-mail address"
          required
          value={email}
          onValue={setEmail}
          fault={form.fault("email")}
          input={{ type: "email", autocomplete: "username" }}
        />
        <TextField
          label="Name"
          value={name}
          onValue={setName}
          fault={form.fault("name")}
          input={{ autocomplete: "name", maxLength: 100 }}
        />
        <TextField
          label="Password"
          required
          value={password}
          onValue={setPassword}
          hint="8 to 128 characters. A few unrelated words are good."
          fault={form.fault("password")}
          input={{ type: "password", autocomplete: "new-password", minLength: 8, maxLength: 128 }}
        />
        <ProblemNotice problem={form.problem} />
        <Button kind="primary" type="submit" busy={form.busy}>
          Sign up
        </Button>
      </form>
      <p>
        Have an account? <Link to="/sign-in">Sign in</Link>
      </p>
    </FrontCard>
  );
}
