import "./appearance/tokens.css";
import "./appearance/layout.css";
import "./appearance/controls.css";
import "./appearance/elements.css";
import "./appearance/tables.css";
import "./appearance/dialogs.css";
import "./appearance/deployment.css";
import "./appearance/logs.css";
import "./appearance/pages.css";
import { render } from "preact";
import { applyTheme } from "./appearance/theme";
import { Console } from "./console";
import { keepSessionFresh } from "./session/renewal";

applyTheme();
keepSessionFresh();
const place = document.getElementById("console");
if (place !== null) render(<Console />, place);
