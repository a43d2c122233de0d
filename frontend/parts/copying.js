// Copying: a button that puts a field's value on the clipboard, and says so. Without this file the field is selected by hand.
export function setUpCopying() {
  document.querySelectorAll("[data-copies]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copies);
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
      } catch {
        document.execCommand("copy");
      }
      const words = button.querySelector("span");
      const before = words.textContent;
      words.textContent = button.dataset.done;
      setTimeout(() => (words.textContent = before), 2000);
    });
  });
}
