import { PageHeading } from "@/elements/page_heading";
import { PlanCards } from "@/usage/plan_cards";

export default function PlansPage() {
  return (
    <>
      <PageHeading
        title="Plans"
        lead="From the route file. Saving it there puts a change in force within a second."
      />
      <PlanCards current={null} heading="h2" />
    </>
  );
}
