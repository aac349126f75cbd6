"""Interchange of values between two places or two texts: what carries the answer?"""
