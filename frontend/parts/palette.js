// The command palette: Ctrl-K or Cmd-K opens it; arrows choose, Enter goes.
const results = (palette) => [...palette.querySelectorAll(".palette-result")];

function choose(palette, step) {
  const found = results(palette);
  if (!found.length) return;
  const now = found.findIndex((one) => one.getAttribute("aria-selected") === "true");
  const next = (now + step + found.length) % found.length;
  found.forEach((one, index) => one.setAttribute("aria-selected", String(index === next)));
  found[next].scrollIntoView({ block: "nearest" });
  palette.querySelector("input").setAttribute("aria-activedescendant", found[next].id);
}

export function setUpPalette() {
  const palette = document.getElementById("palette");
  if (!palette) return;
  const open = () => {
    if (palette.open) return;
    palette.showModal();
    palette.querySelector("input").select();
  };
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette]")) {
      event.preventDefault();
      open();
    } else if (event.target === palette) palette.close();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  palette.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(palette, event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape") {
      event.preventDefault();
      palette.close();
    } else if (event.key === "Enter") {
      const chosen = results(palette).find((one) => one.getAttribute("aria-selected") === "true") ?? results(palette)[0];
      if (chosen) {
        event.preventDefault();
        location.assign(chosen.href);
      }
    }
  });
  palette.addEventListener("htmx:afterSwap", () => results(palette)[0]?.setAttribute("aria-selected", "true"));
}
