"""What a caption asks for: tags of the model's vocabulary, a tempo and a key, found by their words."""

from __future__ import annotations

import re

from unisinger_cli.errors import InputError
from unisinger_cli.model.config import TAGS
from unisinger_cli.notation.keys import read_key

# Patterns of whole words for each tag; a tag's own name always counts.
_SYNONYMS: dict[str, str] = {
    "pop": r"poppy|radio|top 40|k-?pop|j-?pop|mandopop|synth-?pop",
    "ballad": r"ballads?|balladesque|love song|torch song|lullaby",
    "folk": r"folky|country|singer-?songwriter|campfire|bluegrass|celtic",
    "rock": r"rocky|punk|metal|grunge|indie|rock ?'?n'? ?roll",
    "electronic": r"electro|electronica|edm|techno|house|dance|trance|synth-?wave|dubstep|club|disco",
    "classical": r"classic|orchestral|orchestra|symphonic|lied|lieder|baroque|romantic era|opera|operatic|chamber",
    "jazz": r"jazzy|swing|bossa(?: nova)?|blues|bluesy|lounge|big band",
    "acoustic": r"unplugged|acoustically|stripped(?:-| )?(?:back|down)",
    "piano": r"pianos?|keys|grand piano|upright piano|keyboards?|rhodes",
    "guitar": r"guitars?|strummed|strumming|ukulele|fingerpicked|fingerstyle",
    "strings": r"string (?:section|quartet|orchestra)|violins?|cellos?|violas?|orchestra|orchestral|symphonic",
    "organ": r"organs?|hammond|church organ",
    "bass": r"bass ?guitar|bassline|double bass|basses",
    "drums": r"drum|drummer|percussion|beat|beats|drum ?kit",
    "synth": r"synths|synthesi[sz]ers?|synth-?(?:pop|wave)|pads?|8-?bit|chiptune",
    "slow": r"slowly|largo|adagio|lento|downtempo|lullaby|unhurried",
    "medium": r"mid-?tempo|moderate|moderato|andante|medium tempo",
    "fast": r"up-?tempo|quick|presto|allegro|vivace|upbeat|lively|driving|rapid",
    "major": r"maj|dur",
    "minor": r"min|moll",
    "calm": r"soft|softly|gentle|quiet|peaceful|relaxed|relaxing|tender|mellow|dreamy|soothing|intimate|chill|lullaby",
    "bright": r"happy|cheerful|joyful|joyous|sunny|uplifting|hopeful|playful|light-?hearted",
    "dark": r"sad|sombre|somber|gloomy|melanchol(?:y|ic)|moody|brooding|sorrowful|mournful|haunting|heartbroken|lonely",
    "energetic": r"energy|powerful|epic|loud|intense|aggressive|anthemic|lively|driving|upbeat|dance",
    "female": r"woman|women|girl|lady|soprano|mezzo(?:-soprano)?|alto|contralto|feminine|she|her",
    "male": r"man|men|boy|guy|tenor|baritone|masculine|he|his",
    "speech": r"spoken|speaking|narration|rap|rapped|talking",
}
_EXCLUSIVE = ("slow medium fast", "major minor", "calm energetic", "bright dark", "female male")
_OURS = frozenset(("speech", "singing", "fullband", "narrowband"))  # said by the verbs, not by a caption
_NEGATION = re.compile(r"\b(?:no|not|without|non|un|isn't|never|hardly)[\s-]+(?:(?:any|too|very|so|a|an)\s+)?$")
_BPM = re.compile(
    r"(\d{2,3}(?:\.\d+)?)\s*-?\s*(?:bpm|beats (?:per|a) minute)\b|\b(?:bpm|tempo)\s*(?:of|:|=)?\s*(\d{2,3})"
)
_KEY = re.compile(
    r"\b(?i:in|key of|key:?)\s+([A-Ga-g](?:#|♯|b|♭|[\s-]?sharp|[\s-]?flat)?)"
    r"(?:[\s:-]*(major|minor|maj|min|moll|dur|m))?(?![\w#])"
    r"|\b([A-G](?:#|♯|b|♭|[\s-]?sharp|[\s-]?flat)?)[\s:-]*(major|minor|maj|min)\b"
)
_SLOW, _FAST = 82, 112  # bpm below and above which a tempo counts as slow or fast


def _mentions(tag: str, caption: str) -> int | None:
    """Where the caption last asks for a tag, or None; "no drums" and "without piano" do not."""
    names = rf"{tag}|{_SYNONYMS[tag]}" if tag in _SYNONYMS else tag
    found = [m.start() for m in re.finditer(rf"(?<![\w-])(?:{names})(?![\w])", caption)]
    wanted = [at for at in found if not _NEGATION.search(caption[:at])]
    return wanted[-1] if wanted else None


def bpm_of(caption: str) -> float | None:
    """The tempo that a caption names ("72 bpm", "tempo 120"), None if it names none.

    Raises InputError for a tempo that is not within 40..240.
    """
    match = _BPM.search(caption.lower())
    if match is None:
        return None
    bpm = float(match[1] or match[2])
    if not 40 <= bpm <= 240:
        raise InputError(f"the style asks for {bpm:g} bpm, and a tempo must be from 40 to 240", "change the style")
    return bpm


def key_of(caption: str) -> str | None:
    """The key that a caption names ("in A minor", "F# major", "key of D"), such as "A:min"; None if it names none."""
    for match in _KEY.finditer(caption):
        root, mode = (match[1], match[2]) if match[1] else (match[3], match[4])
        alone = mode is None and root in ("a", "A") and not match[0].lower().startswith("key")
        if not alone and not (mode is None and root.islower()):  # "in a band" names no key
            return read_key(f"{root} {mode or 'major'}")
    return None


def tags_of(caption: str) -> tuple[str, ...]:
    """Tags that a caption asks for, in the order of TAGS. Of opposites ("slow", "fast") the last one named counts.

    A tempo in bpm and a named key say "slow".."fast" and "major" or "minor" with authority.
    """
    text = caption.lower()
    places = {tag: at for tag in TAGS if tag not in _OURS and (at := _mentions(tag, text)) is not None}
    bpm, key = bpm_of(caption), key_of(caption)
    if bpm is not None:
        places["slow" if bpm < _SLOW else "fast" if bpm > _FAST else "medium"] = len(text)
    if key is not None:
        places["minor" if key.endswith("min") else "major"] = len(text)
    for group in _EXCLUSIVE:
        named = sorted((tag for tag in group.split() if tag in places), key=lambda tag: places[tag])
        for tag in named[:-1]:
            del places[tag]
    return tuple(tag for tag in TAGS if tag in places)
