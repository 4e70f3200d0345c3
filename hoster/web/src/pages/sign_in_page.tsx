import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { PageHeading } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { useSubmit } from "@/elements/use_submit";
import { Link } from "@/routing/link";
import { useLocation } from "@/routing/location";
import { signIn } from "@/session/account";
import { EmailField, PresentPasswordField } from "@/session/credential_fields";
import { FrontCard } from "./front_card";

export function SignInPage() {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const next = useLocation().searchParams.get("next");
  const form = useSubmit(() => signIn(email, password));
  return (
    <FrontCard>
      <PageHeading
        title="Sign in"
        {...(isPlace(next) ? { lead: "Then you are back at the page you were on." } : {})}
      />
      <form onSubmit={form.submit}>
        <EmailField value={email} onValue={setEmail} />
        <PresentPasswordField label="Password" value={password} onValue={setPassword} />
        <ProblemNotice problem={form.problem} />
        <Button kind="primary" type="submit" busy={form.busy}>
          Sign in
        </Button>
      </form>
      <p>
        No account yet?{" "}
        <Link to={next === null ? "/sign-up" : `/sign-up?next=${encodeURIComponent(next)}`}>Sign up</Link>
      </p>
    </FrontCard>
  );
}

function isPlace(next: string | null): boolean {
  return next !== null && next !== "/" && next !== "/deployments";
}
