"""Networks whose patch features live in the space of a text encoder: no decoder, nothing learnt."""
