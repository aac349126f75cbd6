"""A change at one character only: what is stored, and for how long?"""
