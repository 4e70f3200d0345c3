/** The policy in short. The platform says the rest, at the line where it matters. */
export function ComposeRules() {
  return (
    <section class="card">
      <h2>What a compose file may say</h2>
      <ul class="rules">
        <li>
          Per service: <code>image</code>, <code>command</code>, <code>entrypoint</code>,{" "}
          <code>environment</code>, <code>expose</code>, <code>volumes</code>, <code>depends_on</code>,{" "}
          <code>healthcheck</code>, <code>restart</code> and <code>deploy.resources.limits</code>.
        </li>
        <li>
          <code>x-web: true</code> on the one service that visitors reach, with its port in{" "}
          <code>expose</code>. A single service is that by itself.
        </li>
        <li>
          Volumes by name, as in <code>data:/var/lib/app</code>. Paths, ports and devices of the machine
          cannot be named.
        </li>
        <li>
          <code>$&#123;NAME&#125;</code> in <code>environment</code> and <code>command</code> becomes the
          value of the variable of that name.
        </li>
        <li>
          <code>{"healthcheck: {x-path: /healthz}"}</code> is a path that must answer before visitors are let
          in.
        </li>
      </ul>
    </section>
  );
}
