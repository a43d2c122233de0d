"""Figures of closed months, kept so that a page costs what it shows. All of them can be worked out again."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from nudgepay.db import Base


class MonthEnd(Base):
    """One currency at the end of a month (its first day names it), in minor units.

    `receivable` was owed, of it `not_due` was not due yet and `over_90` more than 90 days late; `sales` was invoiced
    and `received` came in during the month.
    """

    __tablename__ = "month_ends"

    month: Mapped[date] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    receivable: Mapped[int]
    not_due: Mapped[int]
    over_90: Mapped[int]
    sales: Mapped[int]
    received: Mapped[int]


class StepOutcome(Base):
    """What followed the letters of one step in a month: reminders sent, those followed by money within the window
    before any other letter, and the days that took in all."""

    __tablename__ = "step_outcomes"

    month: Mapped[date] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    sent: Mapped[int]
    followed: Mapped[int]
    days: Mapped[int]


class PromiseOutcome(Base):
    """How the promises that ended in a month ended."""

    __tablename__ = "promise_outcomes"

    month: Mapped[date] = mapped_column(primary_key=True)
    kept: Mapped[int]
    partially_kept: Mapped[int]
    broken: Mapped[int]


class PaymentBehaviour(Base):
    """One client over the twelve months before the last closed one: invoices paid, and how late (negative: early),
    weighted by amount; `days_late_before` is the same over the older half."""

    __tablename__ = "payment_behaviour"
    __table_args__ = (Index("ix_payment_behaviour_days_late", "days_late", "client_id"),)

    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), primary_key=True)
    paid: Mapped[int]
    days_late: Mapped[int]
    days_late_before: Mapped[int | None]


class ClosedMonth(Base):
    """A month whose figures are written. `is_settled`: written again after the days in which money comes in late."""

    __tablename__ = "closed_months"

    month: Mapped[date] = mapped_column(primary_key=True)
    closed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    is_settled: Mapped[bool]
