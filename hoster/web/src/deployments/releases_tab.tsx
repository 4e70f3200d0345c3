import { useQueryClient } from "@tanstack/preact-query";
import { Confirmation } from "@/elements/confirmation";
import { DialogButton } from "@/elements/dialog_button";
import { Empty } from "@/elements/empty";
import { Listed } from "@/elements/listed";
import { Moment } from "@/elements/moment";
import { sentence } from "@/elements/sentence";
import { StateBadge } from "@/elements/state_badge";
import { request } from "@/session/request";
import { useList } from "@/session/use_list";
import { type Deployment, isMoving, pathOf, type Source, type Variables } from "./deployment";
import { differences } from "./release_differences";

export interface Release {
  readonly id: string;
  readonly status: string;
  readonly reason: string | null;
  readonly current: boolean;
  readonly template_revision: number | null;
  readonly source: Source | null;
  readonly variables: Variables;
  readonly images: readonly {
    readonly service: string;
    readonly image: string;
    readonly digest: string | null;
  }[];
  readonly restores: string | null;
  readonly created_at: string;
  readonly deployed_at: string | null;
}

export function useReleases(id: string) {
  return useList<Release>(["deployment", id, "releases"], `${pathOf(id)}/releases`);
}

export default function ReleasesTab({ deployment }: { readonly deployment: Deployment }) {
  const releases = useReleases(deployment.id);
  return (
    <>
      <p class="muted">
        A release is what was deployed at one time: the template's revision, the variables and the images.
        Rolling back restores all three, and leaves the data in volumes as it is.
      </p>
      <Listed
        query={releases}
        empty={
          <Empty title="No release yet">
            <p>Each deploy that is begun makes one.</p>
          </Empty>
        }
      >
        {(items) => (
          <ol class="releases">
            {items.map((release, index) => (
              <ReleaseRow
                key={release.id}
                deployment={deployment}
                release={release}
                before={items[index + 1]}
              />
            ))}
          </ol>
        )}
      </Listed>
    </>
  );
}

interface ReleaseRowProps {
  readonly deployment: Deployment;
  readonly release: Release;
  readonly before: Release | undefined;
}

function ReleaseRow({ deployment, release, before }: ReleaseRowProps) {
  const queries = useQueryClient();
  const rollBack = async () => {
    await request(`${pathOf(deployment.id)}/rollback`, {
      method: "POST",
      body: { release_id: release.id },
    });
    await queries.invalidateQueries({ queryKey: ["deployment", deployment.id] });
  };
  const changes = before === undefined ? [] : differences(before, release);
  return (
    <li class="card release">
      <div class="row">
        <StateBadge state={release.current ? "active" : release.status} />
        <strong>
          <Moment at={release.created_at} />
        </strong>
        <code class="muted">{release.id}</code>
        <span class="spacer" />
        {!release.current && release.status === "deployed" && (
          <DialogButton small disabled={isMoving(deployment)} verb="Roll back to this">
            {(close) => (
              <Confirmation title="Roll back?" verb="Roll back" harmless onClose={close} onConfirm={rollBack}>
                <p>
                  {deployment.name} goes back to the release of <Moment at={release.created_at} />: its
                  template revision, variables and images. The present release serves until the old one is up.
                  Data in volumes stays as it is now.
                </p>
              </Confirmation>
            )}
          </DialogButton>
        )}
      </div>
      {release.reason !== null && <p class="notice is-problem">{sentence(release.reason)}</p>}
      <ul class="plain-list">
        {release.images.map((image) => (
          <li key={image.service}>
            {image.service}: <code>{image.image}</code>{" "}
            {image.digest !== null && <code class="muted">{shortDigest(image.digest)}</code>}
          </li>
        ))}
        {release.restores !== null && (
          <li>
            Restores <code>{release.restores}</code>
          </li>
        )}
        {changes.map((change) => (
          <li key={change}>{change}</li>
        ))}
      </ul>
    </li>
  );
}

function shortDigest(digest: string): string {
  return digest.replace(/^.*sha256:/, "sha256:").slice(0, 19);
}
