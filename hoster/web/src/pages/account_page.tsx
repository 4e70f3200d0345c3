import { useState } from "preact/hooks";
import { chooseTheme, chosenTheme, THEMES, type Theme } from "@/appearance/theme";
import { Button } from "@/elements/button";
import { Loaded } from "@/elements/loaded";
import { Moment } from "@/elements/moment";
import { PageHeading } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { useForm } from "@/elements/use_form";
import { changePassword, useAccount } from "@/session/account";
import { NewPasswordField, PresentPasswordField } from "@/session/credential_fields";

export default function AccountPage() {
  const account = useAccount();
  return (
    <>
      <PageHeading title="Account" />
      <Loaded query={account}>
        {({ user, plan }) => (
          <dl class="facts">
            <dt>E-mail address</dt>
            <dd>{user.email}</dd>
            <dt>Name</dt>
            <dd>{user.name || "not given"}</dd>
            <dt>Plan</dt>
            <dd>{plan.id}</dd>
            <dt>Organisation</dt>
            <dd>
              <code>{user.org_id}</code>
            </dd>
            <dt>Member since</dt>
            <dd>
              <Moment at={user.created_at} />
            </dd>
          </dl>
        )}
      </Loaded>
      <Appearance />
      <Password />
    </>
  );
}

function Appearance() {
  const [theme, setTheme] = useState<Theme>(chosenTheme);
  const choose = (chosen: Theme) => {
    chooseTheme(chosen);
    setTheme(chosen);
  };
  return (
    <section>
      <h2>Appearance</h2>
      <fieldset class="choices">
        <legend class="unseen">Theme</legend>
        {THEMES.map((one) => (
          <label key={one}>
            <input type="radio" name="theme" checked={theme === one} onChange={() => choose(one)} />
            {one === "system" ? "As the system" : one === "light" ? "Light" : "Dark"}
          </label>
        ))}
      </fieldset>
    </section>
  );
}

const NO_PASSWORDS = { current: "", following: "" };

function Password() {
  const [done, setDone] = useState(false);
  const form = useForm(NO_PASSWORDS, async ({ current, following }) => {
    setDone(false);
    await changePassword(current, following);
    form.change(NO_PASSWORDS);
    setDone(true);
  });
  return (
    <section>
      <h2>Password</h2>
      <form class="narrow" onSubmit={form.submit}>
        <PresentPasswordField label="Present password" {...form.field("current", "current_password")} />
        <NewPasswordField
          label="New password"
          note="All other sessions end."
          {...form.field("following", "new_password")}
        />
        <ProblemNotice problem={form.problem} />
        {done && (
          <p class="notice is-good" role="status">
            The password is changed.
          </p>
        )}
        <Button type="submit" busy={form.busy}>
          Change the password
        </Button>
      </form>
    </section>
  );
}
