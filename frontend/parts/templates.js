// The editor of a letter's text: variables are inserted where the caret is, and the mail follows what is typed.
function insert(field, text) {
  field.focus();
  field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

// A fresh frame each time: a form sent into a used one would fill the browser's history.
let frames = 0;
function showLetter(form, button) {
  const shown = document.querySelector("[data-letter]");
  const fresh = shown.cloneNode();
  fresh.removeAttribute("src");
  fresh.removeAttribute("data-letter");
  fresh.hidden = true;
  fresh.name = button.formTarget = `letter-${++frames}`;
  shown.parentElement.querySelectorAll("iframe:not([data-letter])").forEach((frame) => frame.remove());
  shown.after(fresh);
  fresh.addEventListener("load", () => {
    shown.remove();
    fresh.hidden = false;
    fresh.setAttribute("data-letter", "");
  });
  form.requestSubmit(button);
}

export function setUpTemplates() {
  const form = document.querySelector("[data-editor]");
  if (!form) return;
  const button = document.querySelector("[data-shows-letter]");
  const text = document.getElementById("preview-text");
  let field = form.querySelector("textarea[data-writes]");
  button.hidden = true;
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-writes]")) field = event.target;
  });
  document.addEventListener("click", (event) => {
    const variable = event.target.closest("[data-insert]");
    if (variable && !field.readOnly) insert(field, variable.dataset.insert);
    if (event.target.closest("[data-chooses]")) document.querySelector("[data-picker]").open = false;
  });
  form.addEventListener("submit", (event) => {
    if (!event.submitter?.matches("[data-refreshes]")) return;
    event.preventDefault();
    text.dispatchEvent(new Event("refresh"));
  });
  let isShowing = false;
  text.addEventListener("htmx:afterSwap", (event) => {
    if (isShowing || event.target !== text) return;
    isShowing = true;
    setTimeout(() => {
      isShowing = false;
      showLetter(form, button);
    });
  });
}
