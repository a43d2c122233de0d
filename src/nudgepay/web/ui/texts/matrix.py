"""`/templates`: which texts are one's own, in which language, since when, and which steps use them."""

from dataclasses import dataclass
from typing import Annotated

from babel import Locale
from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.nudges.languages import LANGUAGES
from nudgepay.nudges.schedules import current_schedules
from nudgepay.nudges.texts import TextVersion, current_texts, shipped
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.texts.words import TEXTS

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Row:
    """One text: its version in force in each language, and the steps that use it."""

    template: str
    name: str
    purpose: str
    steps: list[tuple[str, list[str]]]
    cells: list[TextVersion]

    @property
    def last(self) -> TextVersion | None:
        """The newest edit in any language."""
        edited = [cell for cell in self.cells if cell.at is not None]
        return max(edited, key=lambda cell: (cell.at is not None, cell.at), default=None)

    @property
    def standard(self) -> list[TextVersion]:
        """Languages left with the text that ships, while another has one's own."""
        rest = [cell for cell in self.cells if not cell.is_own]
        return rest if len(rest) < len(self.cells) else []


@router.get("/templates", response_class=HTMLResponse)
def templates(page: Annotated[Page, allowed(Permission.TEMPLATE_READ)], session: ReadSessionDep) -> Response:
    """Every text in every language."""
    current = current_texts(session)
    schedules = current_schedules(session)
    rows = [
        Row(
            template=template,
            name=name,
            purpose=purpose,
            steps=[
                (schedule.name, codes)
                for schedule in schedules.values()
                if (codes := [step.code for step in schedule.steps if step.template == template])
            ],
            cells=[current.get((template, one)) or shipped(template, one) for one in LANGUAGES],
        )
        for template, (name, purpose) in TEXTS.items()
    ]
    return page.show("texts/matrix.html", rows=rows, language_names=language_names(page))


def language_names(page: Page) -> dict[str, str]:
    """The letters' languages as the person calls them."""
    here = Locale.parse(page.language)
    return {one: str(here.languages[one]).capitalize() for one in LANGUAGES}
