// Keys: `/` to the search of the page, `g` and a letter to a place, `n` for new, `?` for this list.
const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

export function setUpKeys() {
  let isGoing = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      document.querySelectorAll("details.menu-pop[open]").forEach((menu) => {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
      return;
    }
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (isGoing) {
      isGoing = false;
      document.querySelector(`[data-goes="${CSS.escape(event.key)}"]`)?.click();
    } else if (event.key === "g") {
      isGoing = true;
      setTimeout(() => (isGoing = false), 1500);
    } else if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    } else if (event.key === "n") document.querySelector("[data-new]")?.click();
    else if (event.key === "?") document.getElementById("shortcuts")?.showModal();
  });
}
