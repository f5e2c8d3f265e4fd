"""Technology supplies (nguồn cung công nghệ): what is offered, by whom, and until when."""
