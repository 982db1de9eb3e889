"""A loss function as a module."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from robustseg.losses.options import check_options, constraints_of, options_of


class LossModule(nn.Module):
    """A function of (logits, target, ignore) and its options as a module.

    A subclass names its function. The constructor takes the function's keyword-only parameters
    with their defaults and checks them by the constraints in their annotations; they become
    attributes. A loss with parameters to learn is a module of its own, as `TLoss`.

    Examples:
        >>> import torch
        >>> from robustseg.losses import mae_loss
        >>> def scaled_mae(logits, target, ignore=None, *, scale: float = 2.0):
        ...     return scale * mae_loss(logits, target, ignore)
        >>> class ScaledMAE(LossModule, function=scaled_mae):
        ...     pass
        >>> ScaledMAE(scale=4.0)
        ScaledMAE(scale=4.0)
        >>> ScaledMAE()(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
        tensor(1.)
    """

    image_scale: ClassVar[bool] = False  # whether it is a sum over an image, as the T-Loss
    function: ClassVar[Callable[..., Tensor]]
    options: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, function: Callable[..., Tensor] | None = None) -> None:
        super().__init_subclass__()
        if function is not None:
            cls.function, cls.options = staticmethod(function), tuple(options_of(function))
            setattr(cls, "__init__", _constructor(function))  # noqa: B010

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        options = {name: getattr(self, name) for name in self.options}
        return self.function(logits, target, ignore, **options)

    def extra_repr(self) -> str:
        """Return the options."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.options)


def _constructor(function: Callable[..., Tensor]) -> Callable[..., None]:
    """A constructor whose arguments are the options of a function, in their order."""
    options, constraints = options_of(function), constraints_of(function)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = [option.replace(kind=own.kind) for option in options.values()]
    signature = inspect.Signature([own, *taken], return_annotation=None)

    def __init__(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()
        values = {name: given.arguments[name] for name in options}
        check_options(constraints, values)
        nn.Module.__init__(self)
        for name, value in values.items():
            setattr(self, name, value)

    setattr(__init__, "__signature__", signature)  # noqa: B010
    __init__.__annotations__ = {name: option.annotation for name, option in options.items()}
    return __init__
