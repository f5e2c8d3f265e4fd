"""The one public API of Ketnoi: identity, passing through, combining, documentation."""
