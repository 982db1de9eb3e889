"""Griffe extension: the constructor of a class made of a loss function takes that one's options."""

from typing import Any

import griffe


class LossClasses(griffe.Extension):
    """Gives `class DiceLoss(LossModule, function=dice_loss)` the constructor it has in use."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Add the constructor of a class that names its function."""
        if "function" not in cls.keywords:
            return
        function = cls.module[str(cls.keywords["function"])]
        kind = griffe.ParameterKind.positional_or_keyword
        options = [
            griffe.Parameter(p.name, annotation=p.annotation, kind=kind, default=p.default)
            for p in function.parameters
            if p.kind is griffe.ParameterKind.keyword_only
        ]
        parameters = griffe.Parameters(griffe.Parameter("self", kind=kind), *options)
        cls.set_member("__init__", griffe.Function("__init__", parameters=parameters))
