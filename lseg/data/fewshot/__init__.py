"""Zero-shot and few-shot benchmarks: lists, folds, episodes, tasks."""
