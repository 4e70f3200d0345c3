import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Mark } from "@/appearance/mark";
import { Button } from "@/elements/button";
import { Link } from "@/routing/link";
import { signOut, useAccount } from "@/session/account";

interface ShellProps {
  readonly signedIn: boolean;
  readonly path: string;
  readonly children: ComponentChildren;
}

/** What surrounds every page: the way past it for the keyboard, the navigation, and the place of the page itself. */
export function Shell({ signedIn, path, children }: ShellProps) {
  if (!signedIn) return <main class="front">{children}</main>;
  return (
    <div class="shell">
      <a class="skip" href="#page">
        Skip to the page
      </a>
      <Navigation path={path} />
      <main id="page" class="page" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

const PLACES = [
  ["/deployments", "Deployments"],
  ["/templates", "Templates"],
  ["/nodes", "Nodes"],
  ["/ssh-keys", "SSH keys"],
  ["/api-keys", "API keys"],
  ["/usage", "Usage and billing"],
  ["/account", "Account"],
] as const;

const ADMIN_PLACES = [
  ["/admin/users", "Users"],
  ["/admin/plans", "Plans"],
] as const;

function Navigation({ path }: { readonly path: string }) {
  const account = useAccount();
  const [open, setOpen] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page closes the menu
  useEffect(() => setOpen(false), [path]);
  const isAdmin = account.data?.user.role === "admin";
  return (
    <header class="bar">
      <div class="bar-head">
        <Link to="/deployments" class="brand">
          <Mark />
          Hosting console
        </Link>
        <span class="bar-toggle">
          <Button small label="Menu" expanded={open} onClick={() => setOpen(!open)}>
            {open ? "✕" : "☰"}
          </Button>
        </span>
      </div>
      <nav class={open ? "places is-open" : "places"} aria-label="Main">
        <Places places={PLACES} path={path} />
        {isAdmin && <p class="places-title">Administration</p>}
        {isAdmin && <Places places={ADMIN_PLACES} path={path} />}
        <div class="whoami">
          <p>{account.data?.user.email ?? "\u00a0"}</p>
          <Button small onClick={signOut}>
            Sign out
          </Button>
        </div>
      </nav>
    </header>
  );
}

interface PlacesProps {
  readonly places: readonly (readonly [path: string, name: string])[];
  readonly path: string;
}

function Places({ places, path }: PlacesProps) {
  return (
    <ul>
      {places.map(([to, name]) => (
        <li key={to}>
          <Link to={to} aria-current={isAt(path, to) ? "page" : undefined}>
            {name}
          </Link>
        </li>
      ))}
    </ul>
  );
}

function isAt(path: string, place: string): boolean {
  if (place === "/deployments" && path === "/") return true;
  if (place === "/templates" && /^\/(deploy|my-templates)(\/|$)/.test(path)) return true;
  return path === place || path.startsWith(`${place}/`);
}
