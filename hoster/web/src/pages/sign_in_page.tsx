import { Button } from "@/elements/button";
import { PageHeading } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { useForm } from "@/elements/use_form";
import { Link } from "@/routing/link";
import { useLocation } from "@/routing/location";
import { signIn } from "@/session/account";
import { EmailField, PresentPasswordField } from "@/session/credential_fields";
import { FrontCard } from "./front_card";

export function SignInPage() {
  const next = useLocation().searchParams.get("next");
  const form = useForm({ email: "", password: "" }, ({ email, password }) => signIn(email, password));
  return (
    <FrontCard>
      <PageHeading
        title="Sign in"
        {...(isPlace(next) ? { lead: "Then you are back at the page you were on." } : {})}
      />
      <form onSubmit={form.submit}>
        <EmailField {...form.field("email")} />
        <PresentPasswordField label="Password" {...form.field("password")} />
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
