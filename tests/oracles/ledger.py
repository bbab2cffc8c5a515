"""The money of an account, kept in Decimal: cash, what is held, and nothing derived."""

from __future__ import annotations

from decimal import Decimal, localcontext

DIGITS = 60


class Ledger:
    """Cash in and out; the equity is the cash that leaving everything would bring.

    Prices, sizes and fees come as floats and are taken at their exact value.
    """

    def __init__(self, equity: float) -> None:
        self.cash = Decimal(equity)
        self.held: dict[str, Decimal] = {}
        self.fees = Decimal(0)
        self.funding = Decimal(0)
        self.cash_flow = Decimal(0)

    def fill(self, symbol: str, quantity: float, price: float, fee: float) -> None:
        """Buy (positive) or sell (negative) ``quantity`` at ``price``; pay ``fee``."""
        with localcontext(prec=DIGITS):
            amount = Decimal(quantity)
            self.held[symbol] = self.held.get(symbol, Decimal(0)) + amount
            self.cash -= amount * Decimal(price) + Decimal(fee)
            self.fees += Decimal(fee)

    def close(self, symbol: str, price: float, rate: float) -> None:
        """Leave the whole position at ``price``, paying ``rate`` of the notional."""
        with localcontext(prec=DIGITS):
            quantity = self.held[symbol]
            fee = abs(quantity) * Decimal(price) * Decimal(rate)
            self.held[symbol] = Decimal(0)
            self.cash += quantity * Decimal(price) - fee
            self.fees += fee

    def flow(self, amount: float) -> None:
        """Deposit (positive) or withdraw (negative)."""
        with localcontext(prec=DIGITS):
            self.cash += Decimal(amount)
            self.cash_flow += Decimal(amount)

    def fund(self, symbol: str, price: float, rate: float) -> None:
        """Pay ``rate`` of what is held, at its signed worth; a short receives it."""
        with localcontext(prec=DIGITS):
            amount = self.held[symbol] * Decimal(price) * Decimal(rate)
            self.cash -= amount
            self.funding -= amount

    def equity(
        self,
        quotes: dict[str, tuple[float, float]],
        rate: float,
        own: dict[str, float] | None = None,
    ) -> Decimal:
        """Return the cash after selling longs at the bid and buying shorts back at the ask.

        ``own`` holds the rates of symbols whose fee is another.
        """
        with localcontext(prec=DIGITS):
            total = self.cash
            for symbol, quantity in self.held.items():
                if quantity != 0:
                    bid, ask = quotes[symbol]
                    price = Decimal(bid if quantity > 0 else ask)
                    fee = Decimal((own or {}).get(symbol, rate))
                    total += quantity * price - abs(quantity) * price * fee
            return total
