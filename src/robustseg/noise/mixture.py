"""Several kinds of error in one set."""

from collections.abc import Mapping

import numpy as np

from robustseg.noise.model import Corruption, Donors, NoiseModel, OrderedModel


class Mixture:
    """Corrupts each mask by one of several models, chosen with given weights.

    β means |noisy △ clean| / |clean| for all of them. The manifest names the error itself (dilate,
    swap, …) as its type and the model that made it among the parameters.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Missed, Mixture, Morphological, inject
        >>> masks = np.zeros((2, 64, 64), np.uint8)
        >>> masks[:, 20:40, 20:40] = 1
        >>> models = {"missed": Missed(), "moved": Morphological(types=["affine"])}
        >>> model = Mixture(models, weights={"missed": 1, "moved": 3})
        >>> noisy, manifest = inject(masks, ["a", "b"], model, alpha=1.0, beta=0.5, seed=0)
        >>> [(row["type"], round(row["reached"], 2)) for row in manifest]
        [('affine', 0.48), ('affine', 0.49)]
    """

    def __init__(self, models: Mapping[str, NoiseModel], weights: Mapping[str, float]) -> None:
        """The models and how often each is drawn.

        Args:
            models: Models by name; `legacy` cannot be one of them, it draws for the whole set.
            weights: For each name a weight, 0 or more; they need not add up to 1.
        """
        if set(models) != set(weights):
            raise ValueError(
                f"noise.model.weights must be given for {sorted(models)}, not {sorted(weights)}"
            )
        if not all(weight >= 0 for weight in weights.values()) or not sum(weights.values()) > 0:
            raise ValueError(f"noise.model.weights must be 0 or more, some above, not {weights}")
        ordered = [name for name, model in models.items() if isinstance(model, OrderedModel)]
        if ordered:
            raise ValueError(f"{ordered[0]} draws for the whole set and cannot be in a mixture")
        self.names = sorted(models)
        self.models = [models[name] for name in self.names]
        shares = np.array([weights[name] for name in self.names], float)
        self.shares = shares / shares.sum()

    def corrupt(
        self, mask: np.ndarray, beta: float, rng: np.random.Generator, donors: Donors
    ) -> Corruption:
        """See `NoiseModel`."""
        index = int(rng.choice(len(self.models), p=self.shares))
        done = self.models[index].corrupt(mask, beta, rng, donors)
        parameters = {"model": self.names[index], **done.parameters}
        return Corruption(done.mask, done.type, parameters, done.note)
