"""The answer as JSON."""

import msgspec

from feature_store.schema.requests import (
    FeatureServiceRef,
    ModelRef,
    RankedItem,
    RankRequest,
    RankResponse,
)
from feature_store.views import FeatureService
from ranker.pipeline.outcome import RankingOutcome

_encode = msgspec.json.Encoder().encode


class Responder:
    """Writes answers that name the feature service they were made with.

    Parameters
    ----------
    service : what the models read
    """

    def __init__(self, service: FeatureService) -> None:
        self._service = FeatureServiceRef(service.name, service.fingerprint)
        self.fingerprint: str = service.fingerprint

    def __call__(
        self, request: RankRequest, outcome: RankingOutcome, served_time_ms: int, latency_ms: float
    ) -> bytes:
        """JSON of the `RankResponse`."""
        return _encode(
            RankResponse(
                request_id=request.request_id,
                user_id=request.user_id,
                surface=request.surface,
                items=ranked_items(outcome),
                model=ModelRef(outcome.scores.model, outcome.scores.version),
                feature_service=self._service,
                assignments=dict(outcome.assignments),
                degraded=list(outcome.degraded),
                served_time_ms=served_time_ms,
                latency_ms=round(latency_ms, 3),
                client_id=msgspec.UNSET if request.client_id is None else request.client_id,
            )
        )


def ranked_items(outcome: RankingOutcome) -> list[RankedItem]:
    """The slate's items, best first."""
    order, batch, scores = outcome.slate.order, outcome.batch, outcome.scores
    places = order.tolist()
    heads = list(scores.heads)
    columns = [scores.heads[head][order].tolist() for head in heads]
    by_item = zip(*columns, strict=True) if columns else [()] * len(places)
    return [
        RankedItem(
            item_id=batch.item_ids[place],
            position=position,
            score=score,
            heads=dict(zip(heads, values, strict=True)),
            propensity=propensity,
            source=batch.source_names[source],
        )
        for position, (place, score, values, propensity, source) in enumerate(
            zip(
                places,
                scores.published[order].tolist(),
                by_item,
                outcome.slate.propensities.tolist(),
                batch.sources[order].tolist(),
                strict=True,
            )
        )
    ]
