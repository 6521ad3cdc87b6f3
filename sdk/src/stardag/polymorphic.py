"""Families of models, extensible by whoever imports them: parameters that are one of many types."""

from stardag._polymorphic import Polymorphic, PolymorphicRoot, StardagBaseModel, SubClass

__all__ = ["Polymorphic", "PolymorphicRoot", "StardagBaseModel", "SubClass"]
