/** Which page a path shows. The order does not matter: no two patterns match one path. */
import type { JSX } from "preact";
import { Suspense } from "preact/compat";
import { DeploymentPage } from "@/deployments/deployment_page";
import { DeploymentsPage } from "@/deployments/deployments_page";
import { SafePlace } from "@/elements/safe_place";
import { later } from "@/routing/later";
import { match, type Params } from "@/routing/pattern";
import { DeployPage } from "@/templates/deploy_page";
import { GalleryPage } from "@/templates/gallery_page";
import { NotFoundPage } from "./not_found_page";
import { SignInPage } from "./sign_in_page";
import { SignUpPage } from "./sign_up_page";

const DeploySourcePage = later(() => import("@/templates/deploy_source_page"));
const OwnTemplatesPage = later(() => import("@/authoring/own_templates_page"));
const TemplatePage = later(() => import("@/authoring/template_page"));
const NodesPage = later(() => import("@/nodes/nodes_page"));
const SshKeysPage = later(() => import("@/keys/ssh_keys_page"));
const ApiKeysPage = later(() => import("@/keys/api_keys_page"));
const UsagePage = later(() => import("@/usage/usage_page"));
const AccountPage = later(() => import("./account_page"));
const UsersPage = later(() => import("@/administration/users_page"));
const PlansPage = later(() => import("@/administration/plans_page"));

interface Page {
  readonly name: string;
  /** For people who are not signed in. */
  readonly open: boolean;
  draw(): JSX.Element;
}

type Draw = (params: Params) => JSX.Element;

const OPEN: Readonly<Record<string, Draw>> = {
  "/sign-in": () => <SignInPage />,
  "/sign-up": () => <SignUpPage />,
};

const PAGES: Readonly<Record<string, Draw>> = {
  "": () => <DeploymentsPage />,
  "/deployments": () => <DeploymentsPage />,
  "/deployments/:id": ({ id = "" }) => <DeploymentPage id={id} tab="overview" />,
  "/deployments/:id/:tab": ({ id = "", tab = "" }) => <DeploymentPage id={id} tab={tab} />,
  "/templates": () => <GalleryPage />,
  "/templates/:id": ({ id = "" }) => <DeployPage templateId={id} />,
  "/my-templates": () => <OwnTemplatesPage />,
  "/my-templates/:id": ({ id = "" }) => <TemplatePage id={id} />,
  "/deploy/:source": ({ source = "" }) => <DeploySourcePage source={source} />,
  "/nodes": () => <NodesPage />,
  "/ssh-keys": () => <SshKeysPage />,
  "/api-keys": () => <ApiKeysPage />,
  "/usage": () => <UsagePage />,
  "/account": () => <AccountPage />,
  "/admin/users": () => <UsersPage />,
  "/admin/plans": () => <PlansPage />,
};

export function pageAt(path: string): Page {
  return (
    find(OPEN, true, path) ??
    find(PAGES, false, path) ?? { name: "not-found", open: false, draw: () => <NotFoundPage /> }
  );
}

function find(pages: Readonly<Record<string, Draw>>, open: boolean, path: string): Page | null {
  for (const [pattern, draw] of Object.entries(pages)) {
    const params = match(pattern, path);
    if (params === null) continue;
    // Another deployment is another page, with nothing left over from the one before; another tab of it is not.
    const key = `${pattern.split("/")[1]} ${params.id ?? ""}`;
    return {
      name: pattern,
      open,
      draw: () => (
        <SafePlace key={key}>
          <Suspense fallback={<p class="page-waiting" />}>{draw(params)}</Suspense>
        </SafePlace>
      ),
    };
  }
  return null;
}
