"""Advantages: from the rewards of groups to how much each response is reinforced."""
