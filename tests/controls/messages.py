"""A message to Anna, and what happens to it."""

from app.modules.messages.decider import MarkRead, RequestMessage
from app.modules.messages.events import MessageRead, MessageRequested, Priority

MESSAGE_ID = "order-confirmed:42"
TEXT = "Your order 42 is on its way."

request = RequestMessage("order-confirmed", TEXT)
mark_read = MarkRead()

requested = MessageRequested("order-confirmed", TEXT, Priority.NORMAL)
read = MessageRead()
