"""A cart with shoes and socks in it: the canonical cart of the tests."""

from uuid import UUID

from app.modules.carts.decider import (
    AddItem,
    AssignCart,
    ChangeItem,
    CheckOut,
    OpenCart,
    RemoveItem,
)
from app.modules.carts.events import (
    CartAssigned,
    CartCheckedOut,
    CartOpened,
    ItemAdded,
    ItemChanged,
    ItemRemoved,
    Line,
)

ANNA = "anna"
BORIS = "boris"
VISITOR = "~visitor-7"
VISITOR_ID = UUID("0198a5c0-0000-7000-8000-000000000007")

open_for_anna = OpenCart(ANNA)
open_for_visitor = OpenCart(VISITOR, VISITOR_ID)
add_shoes = AddItem("shoes", 1, 8900, "EUR")
add_socks = AddItem("socks", 3, 450, "EUR")
more_shoes = ChangeItem("shoes", 2)
remove_shoes = RemoveItem("shoes")
assign_to_anna = AssignCart(ANNA)
check_out = CheckOut()

opened_by_anna = CartOpened(ANNA)
opened_by_visitor = CartOpened(VISITOR, VISITOR_ID)
shoes_added = ItemAdded("shoes", 1, 8900, "EUR")
socks_added = ItemAdded("socks", 3, 450, "EUR")
shoes_changed = ItemChanged("shoes", 2, 8900)
shoes_removed = ItemRemoved("shoes")
assigned_to_anna = CartAssigned(ANNA)
checked_out = CartCheckedOut(
    (Line("shoes", 1, 8900, "EUR"), Line("socks", 3, 450, "EUR")), 10250, "EUR"
)
