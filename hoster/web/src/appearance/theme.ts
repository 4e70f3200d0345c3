/** Light, dark, or as the system says; kept in localStorage. */
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const PLACE = "console.theme";

export function chosenTheme(): Theme {
  const found = localStorage.getItem(PLACE);
  return THEMES.find((theme) => theme === found) ?? "system";
}

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(PLACE, theme);
  applyTheme();
}

export function applyTheme(): void {
  const theme = chosenTheme();
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
