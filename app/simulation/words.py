"""What the crowd is made of. All of it is made up; the numbers are reserved for fiction."""

from typing import NamedTuple


class Product(NamedTuple):
    """Something to buy."""

    sku: str
    name: str
    cents: int


FIRST_NAMES = (
    "Amina", "Anna", "Ben", "Carla", "Chen", "Daniel", "Elif", "Emma", "Farah", "Felix", "Grace",
    "Hana", "Hugo", "Ines", "Ivan", "Jonas", "Kofi", "Lars", "Leila", "Lucia", "Marta", "Mateo",
    "Mei", "Nadia", "Noah", "Olga", "Omar", "Paul", "Priya", "Rosa", "Sami", "Sofia", "Tariq",
    "Tom", "Vera", "Yuki",
)  # fmt: skip
LAST_NAMES = (
    "Adeyemi", "Almeida", "Bauer", "Berg", "Brandt", "Castro", "Costa", "Demir", "Dubois",
    "Fischer", "Garcia", "Haddad", "Hansen", "Horvat", "Ito", "Jansen", "Kaya", "Keller", "Kim",
    "Kowalski", "Larsen", "Lopez", "Mensah", "Moreau", "Nakamura", "Novak", "Okafor", "Patel",
    "Petrov", "Rossi", "Santos", "Schmidt", "Silva", "Tanaka", "Virtanen", "Weber",
)  # fmt: skip
CITIES = ("Berlin", "Lisbon", "Kraków", "Montréal", "Nairobi", "Oslo", "São Paulo", "Zürich")
LANGUAGES = ("de", "en", "fr", "ja", "pl", "pt")
PLANS = ("free", "plus", "pro")

PAGES = ("/", "/new", "/sale", "/podcasts", "/rides", "/pricing", "/stories/spring")
REFERRERS = ("search", "newsletter", "friend", "social", "direct")

PRODUCTS = (
    Product("A-7", "Walking boots", 8900),
    Product("B-2", "Rain jacket", 12900),
    Product("C-4", "Thermos flask", 2450),
    Product("D-1", "Reading lamp", 3990),
    Product("E-9", "Notebook, dotted", 890),
    Product("F-3", "Bicycle bell", 1290),
    Product("G-5", "Espresso beans, 1 kg", 1990),
    Product("H-8", "Wool blanket", 5900),
    Product("J-6", "Garden gloves", 1150),
    Product("K-2", "Chess set", 4500),
)
SCARCE = ("D-1", "K-2")
"""Of which there are never enough."""
CARRIERS = ("Swift Parcel", "Green Post", "Harbour Freight Bikes")
PAYMENT_METHODS = ("card", "bank transfer", "wallet")
DECLINES = ("card declined", "expired card", "insufficient funds")

EPISODES = (
    ("Slow Trains", "Across the Alps by night", 2640),
    ("Slow Trains", "The last branch line", 2310),
    ("Kitchen Science", "Why bread rises", 1860),
    ("Kitchen Science", "Salt, and what it does", 1740),
    ("Night Sky", "How to find Andromeda", 2100),
    ("Small Inventions", "The zip", 1500),
)
"""Podcast, title, length in seconds."""

PLACES = (
    "Central Station", "Old Harbour", "University", "Airport", "Market Square", "City Park",
    "Concert Hall", "North Bridge",
)  # fmt: skip
VEHICLES = ("car", "bicycle", "scooter")
CANCELLATIONS = ("changed plans", "took too long", "wrong pick-up place")

QUESTIONS = (
    ("delivery", "Where is my parcel?"),
    ("delivery", "Can it be left with a neighbour?"),
    ("payment", "Why was my card charged twice?"),
    ("payment", "Can I have an invoice?"),
    ("account", "How do I change my email address?"),
    ("playback", "The sound stops after a minute."),
    ("rides", "I left my umbrella in the car."),
)
"""What it is about, and the question."""
CHANNELS = ("chat", "email", "phone")

SHOPS = ("Gadget World", "Corner Bakery", "Night Train Tickets", "Harbour Cinema", "Green Grocer")
DEVICES = ("tv", "phone", "tablet", "kitchen-radio")
TIME_ZONES = ("Europe/Berlin", "Europe/Lisbon", "America/Montreal", "America/Sao_Paulo")
ANSWERS = (
    "It is on its way, and should be there tomorrow.",
    "We have looked into it: you were charged once, the other one is a reservation.",
    "Thank you for telling us. Would you try again, please?",
)
REPLIES = ("It works now. Thank you!", "It is still there.", "Could you look again, please?")
