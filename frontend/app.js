// The operators' pages read and work without this file; it makes them quicker.
import "htmx.org";
import { setUpPalette } from "./parts/palette.js";
import { setUpForms } from "./parts/forms.js";
import { setUpKeys } from "./parts/keys.js";
import { setUpCopying } from "./parts/copying.js";
import { setUpTemplates } from "./parts/templates.js";

setUpPalette();
setUpForms();
setUpKeys();
setUpCopying();
setUpTemplates();
