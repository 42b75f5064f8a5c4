"""What the add-to-wallet page says, in the languages it knows, and which of them a visitor reads."""

import re
from typing import Final

TEXTS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "heading": "Add to your phone's wallet",
        "heading_many": "Add {count} passes to your phone's wallet",
        "lead": "Always on your phone, always up to date.",
        "apple": "Add to Apple Wallet",
        "google": "Add to Google Wallet",
        "scan": "Scan this code with your phone's camera to open this page there.",
        "scan_label": "QR code that leads to this page",
        "safari": "Nothing happens? Open this page in Safari.",
        "none": "This pass is not made for the wallet of this phone.",
        "gone": "This link leads nowhere any more",
        "gone_why": "It may have ended or been called back. Ask whoever sent it for a new one.",
        "busy": "This does not work right now",
        "busy_why": "Please try again in a moment.",
        "contents": "Your passes",
    },
    "fr": {
        "heading": "À ajouter au portefeuille de votre téléphone",
        "heading_many": "Ajoutez {count} cartes au portefeuille de votre téléphone",
        "lead": "Toujours dans votre téléphone, toujours à jour.",
        "apple": "Ajouter à Apple Wallet",
        "google": "Ajouter à Google Wallet",
        "scan": "Scannez ce code avec l'appareil photo de votre téléphone pour y ouvrir cette page.",
        "scan_label": "Code QR qui mène à cette page",
        "safari": "Rien ne se passe ? Ouvrez cette page dans Safari.",
        "none": "Cette carte n'existe pas pour le portefeuille de ce téléphone.",
        "gone": "Ce lien ne mène plus nulle part",
        "gone_why": "Il a peut-être expiré ou été retiré. Demandez-en un nouveau à la personne qui l'a envoyé.",
        "busy": "Cela ne fonctionne pas pour le moment",
        "busy_why": "Veuillez réessayer dans un instant.",
        "contents": "Vos cartes",
    },
    "de": {
        "heading": "Zum Wallet Ihres Telefons hinzufügen",
        "heading_many": "{count} Karten zum Wallet Ihres Telefons hinzufügen",
        "lead": "Immer dabei und immer aktuell.",
        "apple": "Zu Apple Wallet hinzufügen",
        "google": "Zu Google Wallet hinzufügen",
        "scan": "Scannen Sie den Code mit der Kamera Ihres Telefons, um diese Seite dort zu öffnen.",
        "scan_label": "QR-Code, der zu dieser Seite führt",
        "safari": "Es passiert nichts? Öffnen Sie diese Seite in Safari.",
        "none": "Diese Karte gibt es nicht für das Wallet dieses Telefons.",
        "gone": "Dieser Link führt nirgendwo mehr hin",
        "gone_why": "Er ist abgelaufen oder wurde zurückgezogen. Bitten Sie den Absender um einen neuen.",
        "busy": "Das geht gerade nicht",
        "busy_why": "Bitte versuchen Sie es gleich noch einmal.",
        "contents": "Ihre Karten",
    },
    "es": {
        "heading": "Para la cartera de tu teléfono",
        "heading_many": "Añade {count} tarjetas a la cartera de tu teléfono",
        "lead": "Siempre en tu teléfono, siempre al día.",
        "apple": "Añadir a Apple Wallet",
        "google": "Añadir a Google Wallet",
        "scan": "Escanea este código con la cámara de tu teléfono para abrir esta página en él.",
        "scan_label": "Código QR que lleva a esta página",
        "safari": "¿No ocurre nada? Abre esta página en Safari.",
        "none": "Esta tarjeta no existe para la cartera de este teléfono.",
        "gone": "Este enlace ya no lleva a ninguna parte",
        "gone_why": "Puede que haya caducado o se haya retirado. Pide uno nuevo a quien te lo envió.",
        "busy": "Ahora mismo no funciona",
        "busy_why": "Vuelve a intentarlo dentro de un momento.",
        "contents": "Tus tarjetas",
    },
    "it": {
        "heading": "Per il wallet del tuo telefono",
        "heading_many": "Aggiungi {count} carte al wallet del tuo telefono",
        "lead": "Sempre sul telefono, con i dati sempre aggiornati.",
        "apple": "Aggiungi ad Apple Wallet",
        "google": "Aggiungi a Google Wallet",
        "scan": "Inquadra questo codice con la fotocamera del telefono per aprire lì questa pagina.",
        "scan_label": "Codice QR che porta a questa pagina",
        "safari": "Non succede nulla? Apri questa pagina in Safari.",
        "none": "Questa carta non esiste per il wallet di questo telefono.",
        "gone": "Questo link non porta più da nessuna parte",
        "gone_why": "Potrebbe essere scaduto o essere stato ritirato. Chiedine uno nuovo a chi te l'ha inviato.",
        "busy": "In questo momento non funziona",
        "busy_why": "Riprova tra un attimo.",
        "contents": "Le tue carte",
    },
    "nl": {
        "heading": "Voeg toe aan de wallet van je telefoon",
        "heading_many": "Voeg {count} kaarten toe aan de wallet van je telefoon",
        "lead": "Altijd op je telefoon, altijd actueel.",
        "apple": "Voeg toe aan Apple Wallet",
        "google": "Toevoegen aan Google Wallet",
        "scan": "Scan deze code met de camera van je telefoon om deze pagina daar te openen.",
        "scan_label": "QR-code die naar deze pagina leidt",
        "safari": "Gebeurt er niets? Open deze pagina in Safari.",
        "none": "Deze kaart is er niet voor de wallet van deze telefoon.",
        "gone": "Deze link leidt nergens meer heen",
        "gone_why": "Hij is misschien verlopen of ingetrokken. Vraag de afzender om een nieuwe.",
        "busy": "Dit werkt nu even niet",
        "busy_why": "Probeer het zo meteen opnieuw.",
        "contents": "Je kaarten",
    },
}
FALLBACK: Final = "en"

_RANGE: Final = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")
_MOST_RANGES: Final = 20


def chosen(accept_language: str, *, fallback: str = FALLBACK) -> str:
    """Return the language of `TEXTS` that a browser's Accept-Language likes best (RFC 9110, 12.5.4)."""
    best, weight = fallback if fallback in TEXTS else FALLBACK, 0.0
    for told in accept_language.split(",")[:_MOST_RANGES]:
        found = _RANGE.fullmatch(told)
        if found is not None and found[1].lower() in TEXTS and float(found[2] or 1) > weight:
            best, weight = found[1].lower(), float(found[2] or 1)
    return best
