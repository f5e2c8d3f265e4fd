"""The published language: value models, resources, events, subjects and vocabularies.

These names are Ketnoi's public contract. They only grow: to remove or rename is a new version.
"""
