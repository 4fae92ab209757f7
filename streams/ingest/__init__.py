"""`events` → validate → de-duplicate → join the item → columnar batches; dead letters."""
