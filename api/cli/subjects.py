"""What commands about networks are pointed at: a trial of a search, a teacher with other blocks, or a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.cli.connection import Place
from nas.errors import Fault, NotFound, SpecError

if TYPE_CHECKING:
    from nas.domain.search import SearchSpec


@dataclass(frozen=True)
class ChosenTrial:
    """A trial that a command is about.

    Attributes:
        search: Id of its search.
        spec: What was asked there.
        number: Its number.
        choices: Variant of every searched stage.
    """

    search: str
    spec: SearchSpec
    number: int
    choices: dict[str, str]


def chosen_trial(place: Place, search: str, trial: int | None) -> ChosenTrial:
    """A trial of a search; the best one when no number is given.

    Raises:
        NotFound: If there is no such search or trial, or nothing was measured yet.
    """
    with place.client() as client:
        found = client.search(search)
        number = trial if trial is not None else (found.best.trial if found.best else None)
        if number is None:
            raise NotFound(f"Search {found.search} has measured nothing yet.", "Name a --trial, or wait for one.")
        chosen = client.trial(found.search, number)
        return ChosenTrial(found.search, client.spec(found.search), number, dict(chosen.architecture))


def variants_of(texts: list[str]) -> dict[str, str]:
    """`STAGE=VARIANT` texts as choices.

    Raises:
        SpecError: Naming every text that is none.
    """
    pairs = {text: [part.strip() for part in text.split("=")] for text in texts}
    wrong = [text for text, parts in pairs.items() if len(parts) != 2 or not all(parts)]
    if wrong:
        raise SpecError(tuple(Fault(text, "must read STAGE=VARIANT", "E1=RA") for text in wrong))
    return {parts[0]: parts[1] for parts in pairs.values()}
