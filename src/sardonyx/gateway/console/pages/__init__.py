"""The pages of the console, a file a subject: what they show and what their forms do."""
