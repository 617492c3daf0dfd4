"""The words that a training spec chooses among."""

EQUAL_PARTS, AS_THEY_COME, EVERY_IMAGE = "equal parts", "as they come", "every image once"
CLASS_SAMPLINGS = (EQUAL_PARTS, AS_THEY_COME, EVERY_IMAGE)
BALANCED = "balanced"
CLASS_WEIGHTS = ("none", BALANCED)
OPTIMIZERS = ("adamw", "adam", "nadam", "rmsprop", "sgd")
COSINE, CONSTANT, EXPONENTIAL, PLATEAU = "cosine", "constant", "exponential", "reduce on plateau"
SCHEDULES = (COSINE, CONSTANT, EXPONENTIAL, PLATEAU)
MONITORS = ("val_loss", "val_accuracy", "val_balanced")
KEEP_MEAN, KEEP_LAST, KEEP_BEST = "mean", "last", "best"
KEEPS = (KEEP_MEAN, KEEP_LAST, KEEP_BEST)
