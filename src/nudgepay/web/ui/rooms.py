"""Every room of the operators' pages, in the order in which their routes are tried."""

from nudgepay.web.ui import account, signing_in, texts

ROOMS = (signing_in, account, texts)
