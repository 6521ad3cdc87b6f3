"""`stardag tasks`: what is known of tasks, over all builds."""
