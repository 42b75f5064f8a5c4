"""Pictures of passes for people who would rather look: roughly what Apple Wallet and Google Wallet make of them.

For: `passes render`. Never: a promise; the platforms draw as they like, and with their own fonts.
Keeps: whatever a rendered pass holds, there is a picture.
"""
