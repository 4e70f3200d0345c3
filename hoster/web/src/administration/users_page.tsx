import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { Confirmation } from "@/elements/confirmation";
import { DialogButton } from "@/elements/dialog_button";
import { Listed } from "@/elements/listed";
import { Moment } from "@/elements/moment";
import { PageHeading } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { StateBadge } from "@/elements/state_badge";
import { Table } from "@/elements/table";
import { type User, useAccount } from "@/session/account";
import { request } from "@/session/request";
import { useList } from "@/session/use_list";
import { usePlans } from "@/usage/plan_cards";

type Change = Partial<Pick<User, "plan_id" | "status" | "role">>;

export default function UsersPage() {
  const users = useList<User>(["users"], "/mod/admin/users?limit=100");
  const account = useAccount();
  const [problem, setProblem] = useState<unknown>(null);
  return (
    <>
      <PageHeading title="Users" lead="A change is in force at once, in every process." />
      <ProblemNotice problem={problem} />
      <Listed query={users} empty={null}>
        {(items) => (
          <Table caption="Users" columns={["E-mail address", "Plan", "Role", "Status", ""]}>
            {items.map((user) => (
              <UserRow
                key={user.id}
                user={user}
                isMe={user.id === account.data?.user.id}
                onProblem={setProblem}
              />
            ))}
          </Table>
        )}
      </Listed>
    </>
  );
}

interface UserRowProps {
  readonly user: User;
  readonly isMe: boolean;
  readonly onProblem: (problem: unknown) => void;
}

function UserRow({ user, isMe, onProblem }: UserRowProps) {
  const plans = usePlans();
  const queries = useQueryClient();
  const change = async (fields: Change) => {
    await request(`/mod/admin/users/${encodeURIComponent(user.id)}`, { method: "PATCH", body: fields });
    await queries.invalidateQueries({ queryKey: ["users"] });
  };
  const tryChange = (fields: Change) => {
    onProblem(null);
    change(fields).catch(onProblem);
  };
  return (
    <tr>
      <td class="wrap">
        {user.email} {isMe && <span class="tag">you</span>}
        <div class="hint">
          since <Moment at={user.created_at} />
        </div>
      </td>
      <td data-column="Plan">
        <select
          aria-label={`Plan of ${user.email}`}
          value={user.plan_id}
          onChange={(event) => tryChange({ plan_id: event.currentTarget.value })}
        >
          {[...new Set([user.plan_id, ...(plans.data ?? []).map((plan) => plan.id)])].map((id) => (
            <option key={id}>{id}</option>
          ))}
        </select>
      </td>
      <td data-column="Role">
        <select
          aria-label={`Role of ${user.email}`}
          value={user.role}
          disabled={isMe}
          onChange={(event) => tryChange({ role: event.currentTarget.value === "admin" ? "admin" : "user" })}
        >
          <option>user</option>
          <option>admin</option>
        </select>
      </td>
      <td>
        <StateBadge state={user.status} />
      </td>
      <td>
        {user.status === "active" ? (
          <DialogButton small disabled={isMe} verb="Suspend" label={`Suspend ${user.email}`}>
            {(close) => (
              <Confirmation
                title={`Suspend ${user.email}?`}
                verb="Suspend"
                onClose={close}
                onConfirm={() => change({ status: "suspended" })}
              >
                <p>
                  Every request of this account is refused from now on. Its apps go on serving, and nothing is
                  deleted.
                </p>
              </Confirmation>
            )}
          </DialogButton>
        ) : (
          <Button small onClick={() => tryChange({ status: "active" })} label={`Activate ${user.email}`}>
            Activate
          </Button>
        )}
      </td>
    </tr>
  );
}
