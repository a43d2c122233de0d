// Forms: sent once, sent by themselves where they only filter, rows chosen all at once, menus that close.
function countChosen(form) {
  const everything = form.querySelector("input[data-everything]:checked");
  const chosen = form.querySelectorAll("input[data-row]:checked").length;
  const bar = form.querySelector("[data-bulk]");
  if (!bar) return;
  bar.hidden = chosen === 0;
  bar.querySelector("[data-count]").textContent = everything ? everything.dataset.everything : String(chosen);
}

export function setUpForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "get" || form.hasAttribute("data-again")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    form.querySelectorAll("button").forEach((button) => button.setAttribute("aria-busy", "true"));
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
  document.addEventListener("change", (event) => {
    const changed = event.target;
    const form = changed.closest("form");
    if (changed.closest("[data-autosubmit]")) form.requestSubmit();
    if (changed.matches("input[data-all]"))
      form.querySelectorAll("input[data-row]").forEach((row) => (row.checked = changed.checked));
    if (changed.matches("input[data-everything]") && changed.checked)
      form.querySelectorAll("input[data-row], input[data-all]").forEach((row) => (row.checked = true));
    if (changed.matches("input[data-row], input[data-all]") && !changed.checked)
      form.querySelectorAll("input[data-everything]").forEach((all) => (all.checked = false));
    if (form) countChosen(form);
  });
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.menu-pop[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    if (event.target.closest("[data-dismiss]")) event.target.closest("[data-told]").remove();
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
    if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
  });
  document.querySelectorAll("form").forEach(countChosen);
  document.querySelectorAll(".tabs [aria-current]").forEach((tab) => {
    const bar = tab.parentElement;
    const before = tab.getBoundingClientRect().left - bar.getBoundingClientRect().left;
    bar.scrollLeft += before - (bar.clientWidth - tab.offsetWidth) / 2;
  });
}
