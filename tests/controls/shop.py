"""Anna's order 42, its payment and its stock: the canonical sale of the tests."""

from app.modules.inventory.decider import ReceiveStock, ReleaseStock, ReserveStock, ShipStock
from app.modules.inventory.events import (
    ReservationDeclined,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShipped,
)
from app.modules.orders.decider import (
    CancelOrder,
    ConfirmOrder,
    DeliverOrder,
    PlaceOrder,
    ShipOrder,
)
from app.modules.orders.events import (
    Line,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderPlaced,
    OrderShipped,
)
from app.modules.payments.decider import (
    CancelPayment,
    ConfirmPayment,
    ConfirmRefund,
    DeclinePayment,
    RequestPayment,
    RequestRefund,
)
from app.modules.payments.events import (
    PaymentCancelled,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRefundRequested,
    PaymentRequested,
)
from tests.controls.customers import ANNA, BORIS

ORDER_ID = "42"
PAYMENT_ID = "order-42"
CUP, TEA = "cup", "tea"
CUPS, TEAS = Line(CUP, 2, 1250), Line(TEA, 3, 500)
TOTAL = 4000

place = PlaceOrder(ANNA, (CUPS, TEAS), "EUR")
place_allowing_partial = PlaceOrder(ANNA, (CUPS, TEAS), "EUR", allow_partial=True)
place_for_boris = PlaceOrder(BORIS, (CUPS, TEAS), "EUR")
confirm = ConfirmOrder({CUP: 2, TEA: 3})
cancel = CancelOrder("asked-for")
ship = ShipOrder()
deliver = DeliverOrder()

placed = OrderPlaced(ANNA, (CUPS, TEAS), "EUR", TOTAL, allow_partial=False)
placed_allowing_partial = OrderPlaced(ANNA, (CUPS, TEAS), "EUR", TOTAL, allow_partial=True)
confirmed = OrderConfirmed((CUPS, TEAS), TOTAL)
cancelled = OrderCancelled("asked-for")
shipped = OrderShipped()
delivered = OrderDelivered()

request_payment = RequestPayment(ANNA, TOTAL, "EUR")
confirm_payment = ConfirmPayment()
decline_payment = DeclinePayment("no-funds")
cancel_payment = CancelPayment()
refund_some = RequestRefund("broken", 500)
confirm_some = ConfirmRefund("broken")

payment_requested = PaymentRequested(ANNA, TOTAL, "EUR")
captured = PaymentCaptured(TOTAL, "EUR")
declined = PaymentDeclined("no-funds")
payment_cancelled = PaymentCancelled()
some_refund_requested = PaymentRefundRequested("broken", 500)
some_refunded = PaymentRefunded("broken", 500, "EUR")
all_refund_requested = PaymentRefundRequested("cancellation", TOTAL)
all_refunded = PaymentRefunded("cancellation", TOTAL, "EUR")

receive = ReceiveStock(5)
reserve = ReserveStock(ORDER_ID, 2)
reserve_for_43 = ReserveStock("43", 2)
release = ReleaseStock(ORDER_ID)
ship_stock = ShipStock(ORDER_ID)

received = StockReceived(5)
reserved = StockReserved(ORDER_ID, 2, wanted=2)
out_of_stock = ReservationDeclined(ORDER_ID, wanted=2, available=0)
released = StockReleased(ORDER_ID, 2)
stock_shipped = StockShipped(ORDER_ID, 2)
