"""Clips scored by vision-language models behind OpenAI-compatible endpoints."""
