"""The clinic window: from the patient to the report, with a mouse, in five minutes."""
