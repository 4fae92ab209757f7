"""Numbers among an item's attributes that models may read; the ranker has them in memory."""

from feature_store.views import ItemAttribute

ITEM_ATTRIBUTES = (
    ItemAttribute("popularity", unit="score", description="Popularity as its source gives it."),
    ItemAttribute("vote_avg", unit="score", description="Mean vote."),
    ItemAttribute("vote_cnt", unit="votes", description="Number of votes."),
    ItemAttribute("budget", unit="currency", description="Cost of making it."),
    ItemAttribute("runtime", unit="min", description="Length."),
    ItemAttribute("release_date", unit="s", description="Seconds since the Unix epoch."),
)
