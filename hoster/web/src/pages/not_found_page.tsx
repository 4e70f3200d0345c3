import { PageHeading } from "@/elements/page_heading";
import { Link } from "@/routing/link";

export function NotFoundPage() {
  return (
    <>
      <PageHeading title="There is no such page" />
      <p>
        The address may be mistyped, or what it showed was removed.{" "}
        <Link to="/deployments">Go to your deployments</Link>.
      </p>
    </>
  );
}
