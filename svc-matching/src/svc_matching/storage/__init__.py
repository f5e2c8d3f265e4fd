"""The schema `matching`: copies, lists, diagnoses, epochs."""
