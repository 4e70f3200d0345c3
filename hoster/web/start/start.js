"use strict";

for (const place of document.querySelectorAll(".origin")) {
  place.textContent = window.location.origin;
}

const state = document.getElementById("state");

async function check() {
  try {
    const response = await fetch("/health", { cache: "no-store" });
    const health = await response.json();
    state.textContent = response.ok ? "The service is up." : `The service says: ${health.status}.`;
    state.className = response.ok ? "good" : "bad";
  } catch {
    state.textContent = "The service cannot be reached.";
    state.className = "bad";
  }
}

check();
setInterval(check, 10000);
